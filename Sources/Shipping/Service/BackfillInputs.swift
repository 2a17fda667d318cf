internal import Checkpointing
internal import FileTailing
internal import Logging

/// The files of a backfill, each once, and what earlier runs of its job have done of them.
struct BackfillInputs {
    struct Input {
        var row: FileCheckpoint
        /// Bytes on disk.
        let size: Int64
        /// Whether nothing has come since the job was done with it.
        let isFinished: Bool
    }

    /// A file that was named, as it is now.
    private struct Candidate {
        let path: String
        let key: FileKey
        let evidence: FileEvidence
        /// What the job knows of it.
        let row: FileCheckpoint?

        /// What is in a compressed file is only known when it is read, but a finished one is whole.
        var isFinished: Bool {
            guard let row, row.state == .finished else { return false }
            return evidence.isCompressed || evidence.size == row.checkpoint.offset
        }
    }

    private(set) var all: [Input]

    /// Looks at every file before anything of the job is forgotten or written.
    ///
    /// - Parameter restarts: forget what the job has done before.
    /// - Throws: `ServiceError`: 66 for a file that cannot be read, 73 when the job cannot be
    ///   remembered.
    init(
        _ paths: [String],
        of pipeline: LoadedPipeline,
        job: String,
        restarts: Bool,
        store: CheckpointStore,
        logger: Logger
    ) throws {
        do {
            let before = try store.files(pipeline: pipeline.name, job: job)
            let known = Dictionary(
                (restarts ? [] : before).map { (FileKey($0), $0) },
                uniquingKeysWith: { $1 }
            )
            let candidates = try Self.candidates(paths, pipeline, known, logger)
            if restarts { try store.forget(before.map(\.id)) }
            all = try candidates.map { candidate in
                var row = candidate.row ?? Self.draft(candidate, pipeline, job)
                row.path = candidate.path
                if candidate.row == nil { row.id = try store.register(row) }
                return Input(
                    row: row,
                    size: candidate.evidence.size,
                    isFinished: candidate.isFinished
                )
            }
        } catch let error as CheckpointError {
            throw ServiceError(.cannotCreate, error.message)
        }
    }

    /// Takes checkpoints that turned out to be committed since.
    ///
    /// - Throws: `ServiceError` (73) when they cannot be read.
    mutating func refresh(from store: CheckpointStore) throws {
        do {
            let files = try store.allFiles()
            let rows = Dictionary(files.map { ($0.id, $0) }) { first, _ in first }
            for index in all.indices { all[index].row = rows[all[index].row.id] ?? all[index].row }
        } catch {
            throw ServiceError(.cannotCreate, error.message)
        }
    }

    /// Bytes that are to be read.
    var totalBytes: Int64 {
        all.reduce(0) { $0 + max(0, $1.size - $1.row.checkpoint.offset) }
    }

    /// Whether an earlier run has shipped all of them.
    var areFinished: Bool { all.allSatisfy(\.isFinished) }

    // MARK: Looking

    private static func candidates(
        _ paths: [String],
        _ pipeline: LoadedPipeline,
        _ known: [FileKey: FileCheckpoint],
        _ logger: Logger
    ) throws -> [Candidate] {
        var candidates: [Candidate] = []
        var firstPaths: [FileKey: String] = [:]
        for path in paths {
            let candidate = try candidate(path, pipeline, known)
            if let first = firstPaths[candidate.key] {
                noteSecondName(path, of: first, logger)
                continue
            }
            firstPaths[candidate.key] = path
            candidates.append(candidate)
        }
        return candidates
    }

    private static func noteSecondName(_ path: String, of first: String, _ logger: Logger) {
        logger.notice(
            "a file was named twice; it is read once",
            metadata: ["event": "backfill.same_file", "file": "\(first)", "also": "\(path)"]
        )
    }

    private static func candidate(
        _ path: String,
        _ pipeline: LoadedPipeline,
        _ known: [FileKey: FileCheckpoint]
    ) throws -> Candidate {
        let named = NamedFile(path)
        let file = try named.openRegular(decompresses: pipeline.decompresses)
        do {
            let evidence = try file.evidence()
            let row = try known[file.key].flatMap { row throws(TailError) in
                try isContinued(row, in: file, evidence) ? row : nil
            }
            return Candidate(path: path, key: file.key, evidence: evidence, row: row)
        } catch {
            throw named.unreadable(error.code)
        }
    }

    /// Whether what the job has read of a file is in it still; the inode alone does not tell.
    private static func isContinued(
        _ row: FileCheckpoint,
        in file: TailedFile,
        _ evidence: FileEvidence
    ) throws(TailError) -> Bool {
        let head = HeadFingerprint(hash: row.headHash, length: row.headLength)
        guard head.holds(for: evidence.head) else { return false }
        // All of a compressed file before the place would have to be decoded for that.
        if evidence.isCompressed { return true }
        return try file.guardBytes(before: row.checkpoint.offset) == row.checkpoint.guardBytes
    }

    private static func draft(
        _ candidate: Candidate,
        _ pipeline: LoadedPipeline,
        _ job: String
    ) -> FileCheckpoint {
        var row = FileCheckpoint(
            pipeline: pipeline.name,
            path: candidate.path,
            device: candidate.key.device,
            inode: candidate.key.inode
        )
        row.job = job
        row.birthTime = candidate.evidence.birthTime
        row.headHash = candidate.evidence.fingerprint.hash
        row.headLength = candidate.evidence.fingerprint.length
        return row
    }
}
