"""The one type table of the archive; JSON, XML, XSD, CSV, columns, filters and xpath writes come from it."""
