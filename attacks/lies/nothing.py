# B21: no result at all
# ends: error result_missing challenge
