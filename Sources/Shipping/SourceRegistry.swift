internal import Checkpointing
internal import Kafka
internal import Synchronization

/// Which files the lanes' sources are, for the journal to name them by.
///
/// Batches carry the number of a source and of one of its chunks only.
final class SourceRegistry: Sendable {
    /// One file that a lane reads.
    struct Entry: Sendable {
        let file: Int64
        /// The generations of its bytes, each with its first chunk.
        var generations: [(chunk: UInt64, generation: Int64)]
        /// Up to which places earlier texts of the pipeline make the records.
        var zones: [FileCoverage.Zone]
        /// The text that does from there on.
        let version: Int64
        /// Records that were refused before they were in a batch, in order.
        var holes: [Int64] = []

        func generation(ofChunk chunk: UInt64) -> Int64 {
            generations.last { $0.chunk <= chunk }?.generation ?? generations[0].generation
        }

        func version(at place: RecordPlace) -> Int64 {
            zones.first { place <= $0.through }?.pipelineVersion ?? version
        }

        /// Whether a record between two others was left out, which should be with them.
        func hasHole(between first: Int64, and last: Int64) -> Bool {
            var low = 0
            var high = holes.count
            while low < high {
                let middle = (low + high) / 2
                if holes[middle] <= first { low = middle + 1 } else { high = middle }
            }
            return low < holes.count && holes[low] < last
        }
    }

    private let entries = Mutex<[Int: Entry]>([:])

    func add(_ entry: Entry, of source: Int) {
        entries.withLock { $0[source] = entry }
    }

    /// It is known at last which lines earlier texts of the pipeline make records of.
    func setZones(_ zones: [FileCoverage.Zone], of source: Int) {
        entries.withLock { $0[source]?.zones = zones }
    }

    /// Records of chunks from this one on are of other bytes than those before at their places.
    func begin(generation: Int64, at chunk: UInt64, of source: Int) {
        entries.withLock { $0[source]?.generations.append((chunk, generation)) }
    }

    func addHole(at place: RecordPlace, of source: Int) {
        entries.withLock { $0[source]?.holes.append(place.position) }
    }

    /// Nothing before the offset goes into a batch any more.
    func passed(_ offset: Int64, of source: Int) {
        let place = RecordPlace(offset: offset).position
        entries.withLock { entries in
            guard entries[source]?.holes.first.map({ $0 < place }) ?? false else { return }
            entries[source]?.holes.removeAll { $0 < place }
        }
    }

    /// What is still on its way of it is of a file that nobody will read again.
    func remove(_ source: Int) {
        entries.withLock { $0[source] = nil }
    }

    // MARK: Stretches

    /// Which records of which files a batch holds.
    func stretches(of batch: ProducerBatch) -> [Stretch] {
        entries.withLock { entries in
            var stretches: [Stretch] = []
            // Stints are told apart here only: each is a stretch of its own.
            var routings: [Int32] = []
            for run in batch.runs {
                let (source, chunk) = LaneSource.parts(of: run.owner)
                let entry = entries[source]
                let stretch = Stretch(run, entry, chunk: chunk.rawValue)
                let earlier = stretches.indices.last { stretches[$0].isAlike(stretch) }
                if let earlier, routings[earlier] == run.routing, !batch.isPiece, let entry,
                    stretches[earlier].canGrow(by: stretch, entry)
                {
                    stretches[earlier].through = stretch.through
                    stretches[earlier].count += stretch.count
                } else {
                    stretches.append(stretch)
                    routings.append(run.routing)
                }
            }
            return stretches
        }
    }
}

extension Stretch {
    fileprivate init(_ run: ProducerBatch.Run, _ entry: SourceRegistry.Entry?, chunk: UInt64) {
        let from = RecordPlace(position: run.firstPosition)
        self.init(
            file: entry?.file ?? FileCheckpoint.unregisteredID,
            generation: entry?.generation(ofChunk: chunk) ?? 0,
            pipelineVersion: entry?.version(at: from) ?? 0,
            routing: Routing(run.routing),
            from: from,
            through: RecordPlace(position: run.lastPosition),
            count: run.count
        )
    }

    /// Whether two differ in nothing but their places.
    fileprivate func isAlike(_ other: Stretch) -> Bool {
        file == other.file && generation == other.generation
            && pipelineVersion == other.pipelineVersion && routing == other.routing
    }

    /// Whether another one follows it without a record between them that is not in either.
    fileprivate func canGrow(by next: Stretch, _ entry: SourceRegistry.Entry) -> Bool {
        routing != .answer && through < next.from
            && !entry.hasHole(between: through.position, and: next.from.position)
    }
}

extension Stretch.Routing {
    fileprivate init(_ routing: Int32) {
        switch routing {
        case ProducerBatch.Run.answer: self = .answer
        case 1...: self = .partitionCount(routing)
        default: self = .sticky
        }
    }
}
