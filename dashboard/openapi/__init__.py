"""The OpenAPI 3.1 document, made from the URL patterns and what endpoints say of themselves."""

from dashboard.openapi.document import document
from dashboard.openapi.routes import Route, routes, undocumented

__all__ = ["Route", "document", "routes", "undocumented"]
