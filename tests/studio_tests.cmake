# Tests of widgets/, ui/ and app/.
