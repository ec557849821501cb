# B20: JSON a hundred thousand deep
# ends: error result_invalid challenge
import lying

lying.OUTPUT.write_text("[" * 100_000 + "]" * 100_000)
