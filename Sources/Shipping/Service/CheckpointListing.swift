internal import Checkpointing
internal import FileTailing
internal import PipelineLanguage

/// What the checkpoint databases of a state directory know, read beside a running service.
package struct CheckpointListing {
    private let clusters: [(name: String?, checkpoints: ClusterCheckpoints)]

    /// - Throws: `ServiceError` (66 when there is no database, 73 when it cannot be trusted).
    package init(stateDirectory: String) throws {
        clusters = try StateDirectories.all(in: stateDirectory).map { cluster, path in
            (cluster, try ClusterCheckpoints(stateDirectory: path))
        }
    }

    /// The process's own cluster first, each other under its name.
    package var table: String {
        clusters.map { name, checkpoints in
            name.map { "\nkafka \($0)\n" + checkpoints.table } ?? checkpoints.table
        }.joined()
    }

    /// One object a line; `cluster` says of which cluster that is not the process's own.
    package var json: String {
        clusters.map { name, checkpoints in
            guard let name else { return checkpoints.json }
            let member = "\"cluster\":\(quotedAsJSON(name)),"
            return checkpoints.json.split(separator: "\n")
                .map { "{\(member)\($0.dropFirst())\n" }.joined()
        }.joined()
    }
}

/// What is known of the files that are sent to one cluster.
private struct ClusterCheckpoints {
    /// A row, and the file as it is now.
    private struct Entry {
        let row: FileCheckpoint
        /// Bytes in the file; nil if it is not there under its path.
        let size: Int64?

        var lag: Int64? { size.map { max(0, $0 - row.checkpoint.offset) } }
    }

    private let entries: [Entry]
    private let counters: [(name: CounterName, value: Int64)]
    private let journal: JournalListing

    /// - Throws: `ServiceError` (66 when there is no database, 73 when it cannot be trusted).
    init(stateDirectory: String) throws {
        do throws(CheckpointError) {
            let store = try CheckpointStore.open(readOnly: stateDirectory + "/checkpoints.db")
            let files = try store.allFiles()
            entries = files.map { Entry(row: $0, size: Self.size(of: $0)) }
            journal = JournalListing(try store.journal(), files: files)
            counters = try store.counters().map { ($0.key, $0.value) }
                .sorted { ($0.0.pipeline, $0.0.name) < ($1.0.pipeline, $1.0.name) }
        } catch {
            throw ServiceError(error.kind == .missing ? .noInput : .cannotCreate, error.message)
        }
    }

    /// The size of a plain file that still has its name; what is in a compressed one is not counted.
    private static func size(of row: FileCheckpoint) -> Int64? {
        let key = FileKey(row)
        guard let file = try? TailedFile(opening: row.path, on: LinuxDisk(), expecting: key),
            !file.isCompressed
        else { return nil }
        return try? file.status().size
    }

    var table: String {
        var cells = [["PIPELINE", "JOB", "OFFSET", "LAG", "LINE", "STATE", "PATH"]]
        for entry in entries {
            let row = entry.row
            cells.append([
                row.pipeline.printable, row.job.isEmpty ? "-" : row.job.printable,
                "\(row.checkpoint.offset)",
                entry.lag.map { "\($0)" } ?? "-", "\(row.checkpoint.line)", "\(row.state)",
                row.path.printable,
            ])
        }
        var counts = [["PIPELINE", "COUNTER", "VALUE"]]
        for (name, value) in counters { counts.append([name.pipeline, name.name, "\(value)"]) }
        // What has nothing but a heading is left out.
        let others = [counts, journal.cells].filter { $0.count > 1 }
        return ([cells] + others).map(Self.aligned).joined(separator: "\n")
    }

    private static func aligned(_ cells: [[String]]) -> String {
        let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        let lines = cells.map { line in
            zip(line, widths).map { text, width in
                text + String(repeating: " ", count: width - text.count)
            }.joined(separator: "  ")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    var json: String {
        let files = entries.map { entry in
            let row = entry.row
            var fields = [
                "\"id\":\(row.id)",
                "\"pipeline\":\(quotedAsJSON(row.pipeline))",
                "\"job\":\(quotedAsJSON(row.job))",
                "\"path\":\(quotedAsJSON(row.path))",
                "\"offset\":\(row.checkpoint.offset)",
                "\"line\":\(row.checkpoint.line)",
                "\"generation\":\(row.generation)",
                "\"state\":\"\(row.state)\"",
                "\"device\":\(row.device)",
                "\"inode\":\(row.inode)",
            ]
            if let size = entry.size, let lag = entry.lag {
                fields += ["\"size\":\(size)", "\"lag_bytes\":\(lag)"]
            }
            return "{" + fields.joined(separator: ",") + "}\n"
        }
        let counts = counters.map { name, value in
            "{\"pipeline\":\(quotedAsJSON(name.pipeline)),\"counter\":\(quotedAsJSON(name.name)),"
                + "\"value\":\(value)}\n"
        }
        return (files + counts).joined() + journal.json
    }
}
