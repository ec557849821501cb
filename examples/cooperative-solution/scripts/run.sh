exec python3 solve.py
