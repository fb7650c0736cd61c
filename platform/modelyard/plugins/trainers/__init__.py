"""The built-in trainers, one algorithm a module; the registry imports each when it is asked for."""
