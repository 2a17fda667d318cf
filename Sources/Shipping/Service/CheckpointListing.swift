internal import Checkpointing

/// What the checkpoint database knows, read beside a running service.
package struct CheckpointListing {
    private let rows: [FileCheckpoint]

    /// - Throws: `ServiceError` (66 when there is no database, 73 when it cannot be trusted).
    package init(stateDirectory: String) throws {
        do {
            rows = try CheckpointStore.open(readOnly: stateDirectory + "/checkpoints.db").allFiles()
        } catch {
            throw ServiceError(error.kind == .missing ? .noInput : .cannotCreate, error.message)
        }
    }

    package var table: String {
        var cells = [["PIPELINE", "JOB", "OFFSET", "LINE", "STATE", "PATH"]]
        for row in rows {
            cells.append([
                row.pipeline, row.job.isEmpty ? "-" : row.job, "\(row.checkpoint.offset)",
                "\(row.checkpoint.line)", "\(row.state)", row.path,
            ])
        }
        let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        let lines = cells.map { line in
            zip(line, widths).map { text, width in
                text + String(repeating: " ", count: width - text.count)
            }.joined(separator: "  ")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    package var json: String {
        rows.map { row in
            let fields = [
                "\"pipeline\":\(LogLine.quoted(row.pipeline))",
                "\"job\":\(LogLine.quoted(row.job))",
                "\"path\":\(LogLine.quoted(row.path))",
                "\"offset\":\(row.checkpoint.offset)",
                "\"line\":\(row.checkpoint.line)",
                "\"generation\":\(row.generation)",
                "\"state\":\"\(row.state)\"",
                "\"device\":\(row.device)",
                "\"inode\":\(row.inode)",
            ]
            return "{" + fields.joined(separator: ",") + "}\n"
        }.joined()
    }
}
