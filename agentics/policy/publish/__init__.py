"""What may be shown to whom: public views, exposure, secrets taken out."""
