"""CTP anonymizer scripts: parse, run, check; lookup tables; profiles."""
