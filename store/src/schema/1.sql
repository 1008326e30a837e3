-- Digests and keys are 32-byte blobs, times are seconds since 1970.

CREATE TABLE artifacts (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,
    bytes   INTEGER NOT NULL,
    content BLOB            -- of one small file; NULL: objects/ holds it
);

-- The files of an artifact in objects/. An artifact that is one file has one, with an empty path.
CREATE TABLE files (
    artifact INTEGER NOT NULL REFERENCES artifacts,
    path     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    modified INTEGER NOT NULL,  -- nanoseconds since 1970, when it was placed
    PRIMARY KEY (artifact, path)
) WITHOUT ROWID;

-- What a key says besides the inputs: operation, version, parameters, seed.
CREATE TABLE recipes (
    id        INTEGER PRIMARY KEY,
    digest    BLOB NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    version   INTEGER NOT NULL,
    params    TEXT NOT NULL,
    seed      INTEGER NOT NULL
);

CREATE TABLE computations (
    id       INTEGER PRIMARY KEY,
    key      BLOB NOT NULL UNIQUE,
    recipe   INTEGER NOT NULL REFERENCES recipes,
    family   BLOB,              -- the key without the extendable parameter, which is `extent`
    extent   INTEGER,
    run      INTEGER NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,  -- of the node in that run
    plugin   TEXT NOT NULL,     -- name and version: recorded, not part of the key
    cpu_s    REAL NOT NULL,
    wall_s   REAL NOT NULL,
    peak_rss INTEGER NOT NULL
);
CREATE INDEX computations_recipe ON computations (recipe);
CREATE INDEX computations_family ON computations (family, extent) WHERE family IS NOT NULL;

CREATE TABLE inputs (
    computation INTEGER NOT NULL REFERENCES computations,
    port        INTEGER NOT NULL,   -- ports in order
    item        INTEGER NOT NULL,   -- items of a port in order
    name        TEXT NOT NULL,      -- of the port
    digest      BLOB NOT NULL,
    origin      TEXT NOT NULL,      -- `node.output`, or a path
    PRIMARY KEY (computation, port, item)
) WITHOUT ROWID;

CREATE TABLE outputs (
    computation INTEGER NOT NULL REFERENCES computations,
    port        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    digest      BLOB NOT NULL,
    bytes       INTEGER NOT NULL,
    PRIMARY KEY (computation, port)
) WITHOUT ROWID;
CREATE INDEX outputs_digest ON outputs (digest);

CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,   -- in the order of starting
    name     TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    file     TEXT NOT NULL,
    source   TEXT NOT NULL,
    params   TEXT NOT NULL,
    command  TEXT NOT NULL,
    host     TEXT NOT NULL,
    cpu      TEXT NOT NULL,
    cores    INTEGER NOT NULL,
    engine   TEXT NOT NULL,
    started  REAL NOT NULL,
    finished REAL,
    status   TEXT NOT NULL,
    executed INTEGER NOT NULL DEFAULT 0,
    cached   INTEGER NOT NULL DEFAULT 0,
    failed   INTEGER NOT NULL DEFAULT 0,
    skipped  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_workflow ON runs (workflow, id);

CREATE TABLE nodes (
    run      INTEGER NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    stage    TEXT NOT NULL,
    operation TEXT NOT NULL,
    recipe   INTEGER REFERENCES recipes,
    key      BLOB,              -- NULL where an input never came to be
    state    TEXT NOT NULL,
    cached   INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    error    TEXT,
    attempts INTEGER NOT NULL,
    started  REAL NOT NULL,
    finished REAL NOT NULL,
    cpu_s    REAL NOT NULL,
    wall_s   REAL NOT NULL,
    peak_rss INTEGER NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX nodes_name ON nodes (run, name);

-- Only the points and messages of nodes that ran; a cached node has those of the run that computed it.
CREATE TABLE series (
    run      INTEGER NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    step     INTEGER NOT NULL,
    value    REAL,              -- NULL: not a number
    PRIMARY KEY (run, position, name, step)
) WITHOUT ROWID;

CREATE TABLE logs (
    run      INTEGER NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,
    at       REAL NOT NULL,
    level    TEXT NOT NULL,
    message  TEXT NOT NULL
);
CREATE INDEX logs_node ON logs (run, position);

CREATE TABLE claims (
    key BLOB PRIMARY KEY,
    run TEXT NOT NULL           -- void once runs/RUN.lock is free
) WITHOUT ROWID;

-- Digests of files outside the store, valid while their stat does not change.
CREATE TABLE external (
    path   TEXT PRIMARY KEY,
    kind   TEXT NOT NULL,
    stat   BLOB NOT NULL,
    digest BLOB NOT NULL,
    bytes  INTEGER NOT NULL
) WITHOUT ROWID;
