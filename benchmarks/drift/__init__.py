"""Published definitions of drift under their owners' names, of the values of frames that suites keep."""
