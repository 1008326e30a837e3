-- What lies where the user wanted it, and how it looked when it was put there.
CREATE TABLE published (
    path   TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    stat   BLOB                 -- NULL: changed too recently for its stat to tell
) WITHOUT ROWID;
