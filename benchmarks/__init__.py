"""How fast this library is, and how fast its peers are, measured in one run: `python -m benchmarks`.

`suite` says what is measured, `store_suite` what of places that hold images, `registry_suite` what of registries,
`room_suite` what of rooms of unpacked layers: each benchmark is some `Row`s, ours the first, each a program of `peers`
on an image of `inputs`. `measure` runs the rows of a benchmark in turn, round after round, each in a process of its
own; what happens inside of Python is timed by `probe` and its neighbours, in such a process. Ratios are those of pairs
within one round, and their median is what counts. `report` makes the table and the JSON of that, `svg` the picture that
README shows.
"""
