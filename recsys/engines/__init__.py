"""Apache Spark as the engine of prepare, train and recommend; the files on disk are the same as without it.

`session` starts and stops Spark, `tasks` runs work on its workers, where `remote` runs first. `ratings` reads files of
ratings, `als` trains, `lists` ranks. Only this package imports pyspark, and only inside functions.
"""

from recsys.engines.session import Spark

__all__ = ["Spark"]
