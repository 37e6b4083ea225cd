"""The web face and the ready project: settings, pages, API, and `manage.py up`.

Shows and changes what `runs` holds. Never imports `engine`: the two meet in the database.
"""
