internal import GRDB

/// The tables, one migration after the other. A migration that was released is never changed.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 nodes, assignments, events") { database in
            try database.execute(sql: version1)
        }
        migrator.registerMigration("2 starts") { database in
            try database.execute(sql: version2)
        }
        migrator.registerMigration("3 announced ends") { database in
            try database.execute(sql: version3)
        }
        migrator.registerMigration("4 lost nodes") { database in
            try database.execute(sql: version4)
        }
        return migrator
    }

    /// `number` is the order of creation. The secret of a callback has a column of its own, so that `document` may be
    /// shown as it is.
    ///
    /// An incarnation is one run of sequences that rise. A spot VM that comes back with the same id and an empty disk
    /// counts from 1 again: its events are the newer ones though their sequences are lower. `seen_through` is the
    /// sequence before which the current incarnation has nothing to miss: it began there, or retention got there.
    private static let version1 = """
        CREATE TABLE nodes (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            token_sha256 BLOB NOT NULL UNIQUE,
            created_at TEXT NOT NULL,
            revoked_at TEXT,
            generation INTEGER NOT NULL,
            last_event_at TEXT,
            incarnation INTEGER NOT NULL DEFAULT 1,
            seen_through INTEGER NOT NULL DEFAULT 0
        ) STRICT;

        CREATE TABLE assignments (
            node_id TEXT NOT NULL REFERENCES nodes (id),
            generation INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            document TEXT NOT NULL,
            callback_secret TEXT,
            PRIMARY KEY (node_id, generation)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE events (
            node_id TEXT NOT NULL REFERENCES nodes (id),
            id TEXT NOT NULL,
            incarnation INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            type TEXT NOT NULL,
            received_at TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (node_id, id)
        ) STRICT;

        CREATE INDEX events_by_sequence ON events (node_id, incarnation, sequence);
        CREATE INDEX events_by_type ON events (node_id, type, incarnation, sequence);
        """

    /// A start outlives the events that told of it: retention takes those of a busy node within days.
    private static let version2 = """
        CREATE TABLE starts (
            number INTEGER PRIMARY KEY,
            node_id TEXT NOT NULL REFERENCES nodes (id),
            event_id TEXT NOT NULL,
            model TEXT NOT NULL,
            gpu TEXT,
            vllm_version TEXT,
            startup_s REAL NOT NULL,
            phases TEXT NOT NULL,
            finished_at TEXT NOT NULL,
            UNIQUE (node_id, event_id)
        ) STRICT;

        CREATE INDEX starts_by_kind ON starts (model, gpu, vllm_version, number);
        """

    /// `end_revision` counts what was said about the end of a node, so that a poll that waits is told.
    private static let version3 = """
        ALTER TABLE nodes ADD COLUMN end_document TEXT;
        ALTER TABLE nodes ADD COLUMN end_revision INTEGER NOT NULL DEFAULT 0;
        """

    /// NULL while the node is not lost. How long it has said nothing cannot be told from its events: a node that serves
    /// polls for weeks without one.
    private static let version4 = """
        ALTER TABLE nodes ADD COLUMN lost_at TEXT;
        """
}
