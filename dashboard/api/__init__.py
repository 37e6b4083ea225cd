"""The management API in the reference's wire format. Twin of the pages, independent of them."""
