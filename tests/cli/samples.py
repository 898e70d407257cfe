"""A small file of ratings with its table of items, and the options that name its columns."""

RATINGS = "user,movie,stars,when\n" + "".join(
    f"u{user},m{movie},{1 + (user * movie) % 5},{1_000_000_000 + user * 60 + movie}\n"
    for user in range(30)
    for movie in range(20)
    if (user * 7 + movie * 3) % 4
)
ITEMS = "item_id,title,genres\n" + "".join(
    f'm{movie},"Film {movie}, The ({1960 + movie})",Drama|Comedy\n' for movie in range(20)
)
COLUMNS = ("--user-col", "user", "--item-col", "movie", "--rating-col", "stars", "--time-col", "when")
