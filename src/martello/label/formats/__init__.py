"""Files of answers, one format each: readers that give raw rows, writers that take `AnswerRow`.

A reader judges the form of its file only; whether a row is an answer to this task is `row_check`'s, and
`martello.label.exchange` joins the two. All of it works in memory that does not grow with the file.
"""
