internal import KafkaProtocol

/// What an accumulator has open, and for whom.
///
/// Objects, for a record is on its way through them, and a copy would count each reference in them.
/// Safe: they belong to the accumulator, which one thread has.
extension RecordAccumulator {
    /// A batch that takes records.
    final class OpenBatch {
        let id: Int
        let topic: Topic
        let partition: Partition
        let charge: Int
        @exclusivity(unchecked) var builder: RecordBatchBuilder
        @exclusivity(unchecked) var positions = RecordPositions()
        /// Which file the last record is of that can say so.
        @exclusivity(unchecked) var source: UInt64?
        /// During which stint of the sticky partitioner the last record without a key came.
        @exclusivity(unchecked) var stint: Int32 = 0
        @exclusivity(unchecked) var completions = BatchCompletions()
        /// A record had no room in it.
        var isFull = false
        // Last, for only at run time is it known how large an instant is.
        let createdAt: ContinuousClock.Instant

        init(
            id: Int,
            topic: Topic,
            partition: Partition,
            createdAt: ContinuousClock.Instant,
            taking buffer: inout PooledBuffer
        ) {
            self.id = id
            self.topic = topic
            self.partition = partition
            self.createdAt = createdAt
            self.charge = buffer.charge
            self.builder = RecordBatchBuilder(taking: &buffer.bytes)
        }

        /// Whether a record has to say where it is from, for nobody can count from the one before it.
        ///
        /// Without a key those in between went to other partitions, if the partitioner was elsewhere.
        func needsPosition(
            _ origin: RecordOrigin,
            _ header: PositionHeader,
            _ routing: Int32
        ) -> Bool {
            let routing = origin.isAnswer ? ProducerBatch.Run.answer : routing
            return self.source != header.source || routing < 0 && routing != self.stint
                || !self.positions.continues(at: origin.position, routing: routing)
        }

        func note(_ origin: RecordOrigin, routing: Int32) {
            self.source = origin.header?.source
            if routing < 0 { self.stint = routing }
            self.positions.append(
                owner: origin.owner,
                position: origin.position,
                routing: origin.isAnswer ? ProducerBatch.Run.answer : routing
            )
        }
    }

    final class Partition {
        let number: Int32
        /// Not counted: it is among the accumulator's open batches as long as it stands here.
        @exclusivity(unchecked) var open: Unmanaged<OpenBatch>?
        /// Batches of this partition that are on their way; nil while it has no leader.
        var queued = 0
        var hasLeader = true

        init(number: Int32) {
            self.number = number
        }
    }

    final class Topic {
        let index: TopicIndex
        let name: String
        let bytes: [UInt8]
        var error: KafkaError?
        @exclusivity(unchecked) var partitions: [Partition] = []
        /// What a batch may have, in bytes.
        @exclusivity(unchecked) var batchLimit = Int.max
        @exclusivity(unchecked) var sticky: StickyPartitioner

        init(index: TopicIndex, name: UnsafeRawBufferPointer, sticky: StickyPartitioner) {
            self.index = index
            self.name = String(decoding: name, as: UTF8.self)
            self.bytes = Array(name)
            self.sticky = sticky
        }

        /// The batch of a partition that takes records.
        @inline(__always)
        func openBatch(_ partition: Int) -> Unmanaged<OpenBatch>? {
            // Safe: a partition is as long in `partitions` as the topic lives.
            Unmanaged.passUnretained(self.partitions[partition])
                ._withUnsafeGuaranteedRef { $0.open }
        }
    }
}
