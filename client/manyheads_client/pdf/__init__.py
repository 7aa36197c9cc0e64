"""The report on paper: an A4 document of what `manyheads_client.report` says, laid out with reportlab (extra `pdf`)."""
