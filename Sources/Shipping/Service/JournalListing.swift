internal import Checkpointing
internal import PipelineLanguage

/// What the journal holds of files beyond their checkpoints.
struct JournalListing {
    /// Records of one file in one partition, all of them in Kafka or none known to be.
    fileprivate struct Group: Hashable {
        let file: Int64
        let topic: String
        let partition: Int32
        let isSettled: Bool

        var state: String { isSettled ? "delivered" : "in flight" }
    }

    private struct Content {
        var batches: Set<Int64> = []
        var records: Int64 = 0
        var from: Int64
        var through: Int64
    }

    private let groups: [(group: Group, content: Content)]
    private let files: [Int64: FileCheckpoint]

    init(_ journal: Journal, files: [FileCheckpoint]) {
        let files = Dictionary(files.map { ($0.id, $0) }) { first, _ in first }
        var contents: [Group: Content] = [:]
        for batch in journal.batches {
            for stretch in batch.stretches {
                guard let file = files[stretch.file], file.generation == stretch.generation,
                    stretch.through.offset >= file.checkpoint.offset
                else { continue }
                let group = Group(
                    file: stretch.file,
                    topic: batch.topic,
                    partition: batch.partition,
                    isSettled: batch.isSettled
                )
                let start = stretch.from.offset
                var content = contents[group] ?? Content(from: start, through: start)
                content.batches.insert(batch.id)
                content.records += Int64(stretch.count)
                content.from = min(content.from, start)
                content.through = max(content.through, stretch.through.offset)
                contents[group] = content
            }
        }
        groups = contents.map { ($0.key, $0.value) }.sorted { $0.group.isBefore($1.group) }
        self.files = files
    }

    /// Nothing but a heading if there is nothing.
    var cells: [[String]] {
        var cells = [
            ["BEYOND", "TOPIC", "PARTITION", "BATCHES", "RECORDS", "FROM", "THROUGH", "PATH"]
        ]
        for (group, content) in groups {
            cells.append([
                group.state, group.topic, "\(group.partition)", "\(content.batches.count)",
                "\(content.records)", "\(content.from)", "\(content.through)",
                files[group.file]?.path.printable ?? "-",
            ])
        }
        return cells
    }

    var json: String {
        groups.map { group, content in
            let fields = [
                "\"beyond_checkpoint\":\(quotedAsJSON(group.isSettled ? "delivered" : "in_flight"))",
                "\"id\":\(group.file)",
                "\"file\":\(quotedAsJSON(files[group.file]?.path ?? ""))",
                "\"topic\":\(quotedAsJSON(group.topic))",
                "\"partition\":\(group.partition)",
                "\"batches\":\(content.batches.count)",
                "\"records\":\(content.records)",
                "\"from\":\(content.from)",
                "\"through\":\(content.through)",
            ]
            return "{" + fields.joined(separator: ",") + "}\n"
        }.joined()
    }
}

extension JournalListing.Group {
    fileprivate func isBefore(_ other: Self) -> Bool {
        (file, topic, partition, isSettled ? 0 : 1)
            < (other.file, other.topic, other.partition, other.isSettled ? 0 : 1)
    }
}
