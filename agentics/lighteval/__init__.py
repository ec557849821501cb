"""JobSpecs on LightEval: what is checked and planned before anything starts, and the worker that carries it out."""
