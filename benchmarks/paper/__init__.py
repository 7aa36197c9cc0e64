"""The experiment of Khoo, Lim and Phan 2022 on the images at hand: every table by one command, `benchmarks/paper/run NAME`."""
