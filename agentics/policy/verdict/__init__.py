"""Who is to blame for how a trial ended, why it did not pass, and in which words that is told."""
