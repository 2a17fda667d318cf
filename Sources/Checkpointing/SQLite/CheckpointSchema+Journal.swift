extension CheckpointSchema {
    // Stretches are one blob: a commit then costs one row for each batch, and nothing asks for
    // stretches but the start, which reads all of them.
    static let journalStep = """
        ALTER TABLE file ADD COLUMN first_path TEXT;
        CREATE TABLE ownership (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            owner INTEGER NOT NULL,
            copied_from INTEGER,
            token INTEGER NOT NULL,
            witness_inode INTEGER NOT NULL,
            witness_birth_time INTEGER NOT NULL,
            machine TEXT NOT NULL,
            checksum INTEGER
        ) STRICT;
        INSERT INTO ownership VALUES (1, random(), NULL, 0, 0, 0, '', NULL);
        CREATE TABLE progress (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            commits INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE session (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            cluster_id TEXT NOT NULL,
            producer_id INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            incarnation INTEGER NOT NULL,
            opened_at INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE pipeline_text (
            version INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            path TEXT NOT NULL,
            text TEXT NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE batch (
            id INTEGER PRIMARY KEY,
            topic TEXT NOT NULL,
            topic_id BLOB NOT NULL,
            partition INTEGER NOT NULL,
            producer_id INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            base_sequence INTEGER NOT NULL,
            record_count INTEGER NOT NULL,
            max_timestamp INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            stretches BLOB NOT NULL,
            checksum INTEGER NOT NULL,
            bytes BLOB,
            bytes_checksum INTEGER,
            base_offset INTEGER,
            settled_checksum INTEGER
        ) STRICT;
        CREATE TABLE partition (
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            topic_id BLOB NOT NULL,
            producer_id INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            acked_sequence INTEGER NOT NULL,
            acked_offset INTEGER NOT NULL,
            leader_epoch INTEGER NOT NULL,
            acked_at INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (topic, partition)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE pending (
            transactional_id TEXT PRIMARY KEY,
            producer_id INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE pending_file (
            transactional_id TEXT NOT NULL,
            id INTEGER NOT NULL,
            pipeline TEXT NOT NULL,
            job TEXT NOT NULL,
            generation INTEGER NOT NULL,
            path TEXT NOT NULL,
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            birth_time INTEGER,
            head_hash INTEGER NOT NULL,
            head_length INTEGER NOT NULL,
            offset INTEGER NOT NULL CHECK (offset >= 0),
            line INTEGER NOT NULL,
            framer_state INTEGER NOT NULL,
            guard BLOB NOT NULL,
            header BLOB,
            state INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            first_path TEXT,
            PRIMARY KEY (transactional_id, id)
        ) STRICT, WITHOUT ROWID;
        """
}
