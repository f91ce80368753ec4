"""`./dev bench`: weir beside other hosts of the same components, in rounds that take turns. docs/performance.md says how
it measures. Run by `dev`, which installs what is needed first; alone: `python3 -m bench --help` in the checkout."""
