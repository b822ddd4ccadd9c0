"""Scripts behind the speed claims: each prints machine and ratios, measured in one run."""
