"""One module for each command, thin: arguments in, a function of the package called, a table or JSON out."""
