"""Independent reading of the lake's specification in plain Python: what Silver and Gold must hold for given loads.

The oracle shares no code with the dbt project. It recomputes everything from the raw lines by brute force;
`tests.oracle.lake.expected` is the entry point.
"""
