"""The catalogue's service, as it runs on a server: `python3 -m catalogue /etc/rookery/catalogue.json`.

A package of its own, on the server's own Python and Debian's libraries: it imports nothing of the program
that installs it. FastAPI, because one declaration checks what comes in and is the document of it that clients
read (/api/openapi.json); every answer of the service, its errors included, is in that document.
"""
