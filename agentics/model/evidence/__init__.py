"""What was observed of a trial: exits, workspaces, stages, explanations. Facts only."""
