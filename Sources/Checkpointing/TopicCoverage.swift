/// Which places of a file are in batches of one topic.
struct TopicCoverage: Sendable {
    /// A stretch, by its index, and how old its batch is.
    struct Member: Sendable {
        let index: Int
        let age: Int
    }

    private struct Destination: Hashable, Sendable {
        let partitionCount: Int32
        let partition: Int32
    }

    private var ordered: [Destination: PlaceRanges] = [:]
    /// Each once: one, unless the topic got more partitions lately.
    private var partitionCounts: [Int32] = []
    private var sticky = PlaceRanges()
    /// For each partition, where the records without a key end.
    private(set) var lastSticky: [Int32: RecordPlace] = [:]
    private var answers: [Int64: Int] = [:]

    /// Adds a stretch; those of older batches come first.
    mutating func add(_ stretch: Stretch, partition: Int32, member: Member) {
        switch stretch.routing {
        case .partitionCount(let count):
            let destination = Destination(partitionCount: count, partition: partition)
            if !partitionCounts.contains(count) { partitionCounts.append(count) }
            ordered[destination, default: PlaceRanges()].cover(stretch, member)
        case .sticky:
            sticky.cover(stretch, member)
            lastSticky[partition] = max(lastSticky[partition] ?? stretch.through, stretch.through)
        case .answer:
            answers[stretch.from.position] = answers[stretch.from.position] ?? member.index
        case .counted:
            preconditionFailure("a stretch covers places before it is known where it ends")
        }
    }

    /// The stretch that a record is in; of the oldest batch, if several claim it.
    func member(
        at position: Int64,
        isAnswer: Bool,
        partition: (Int32) -> Int32?
    ) -> Int? {
        if isAnswer { return answers[position] }
        guard partition(1) != nil else { return sticky.member(at: position)?.index }
        var oldest: Member?
        for count in partitionCounts {
            guard let partition = partition(count),
                let member = ordered[Destination(partitionCount: count, partition: partition)]?
                    .member(at: position)
            else { continue }
            if member.age < oldest?.age ?? .max { oldest = member }
        }
        return oldest?.index
    }
}

/// Ranges of places that do not overlap, in their order.
private struct PlaceRanges: Sendable {
    private struct Range: Sendable {
        let from: Int64
        let through: Int64
        let member: TopicCoverage.Member
    }

    private var ranges: [Range] = []

    /// Gives a stretch what nobody has yet.
    mutating func cover(_ stretch: Stretch, _ member: TopicCoverage.Member) {
        var from = stretch.from.position
        let through = stretch.through.position
        var index = firstIndex(endingAtOrAfter: from)
        while index < ranges.count, ranges[index].from <= through {
            if ranges[index].from > from {
                let gap = Range(from: from, through: ranges[index].from - 1, member: member)
                ranges.insert(gap, at: index)
                index += 1
            }
            from = ranges[index].through + 1
            index += 1
        }
        guard from <= through else { return }
        ranges.insert(Range(from: from, through: through, member: member), at: index)
    }

    func member(at position: Int64) -> TopicCoverage.Member? {
        let index = firstIndex(endingAtOrAfter: position)
        guard index < ranges.count, ranges[index].from <= position else { return nil }
        return ranges[index].member
    }

    private func firstIndex(endingAtOrAfter position: Int64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].through < position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
