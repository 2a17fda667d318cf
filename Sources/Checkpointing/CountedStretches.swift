/// Stretches of one topic of which it is known where they begin and how many records they have, and
/// not where they end.
///
/// Their batches were found in the log, and the journal had lost them. Where they end turns out while
/// their file is read once more: each record that their routing leads to their partition is theirs,
/// until they have as many as they had.
struct CountedStretches: Sendable {
    /// Records that found their partition in the same way.
    fileprivate struct Part: Sendable {
        var rest: Int32
        var count: Int32 = 0
        var first = RecordPlace(offset: 0)
        var last = RecordPlace(offset: 0)

        mutating func take(_ place: RecordPlace) {
            if count == 0 { first = place }
            last = place
            count += 1
            rest -= 1
        }
    }

    struct Member: Sendable {
        let batch: Int
        let partition: Int32
        let stretch: Stretch
        fileprivate let partitionCount: Int32
        /// Those with a key or an explicit partition.
        fileprivate var placed: Part
        fileprivate var sticky: Part
        /// The record at its first place is another one now.
        fileprivate var isWrong = false
        /// The one dead letter for the record at its first place.
        fileprivate var isAnswer = false

        init?(_ stretch: Stretch, partition: Int32, batch: Int) {
            guard case .counted(let partitionCount, let keyless) = stretch.routing else {
                return nil
            }
            self.batch = batch
            self.partition = partition
            self.stretch = stretch
            self.partitionCount = max(1, partitionCount)
            placed = Part(rest: stretch.count - keyless)
            sticky = Part(rest: keyless)
        }

        /// How many records were found.
        var found: Int32 { isAnswer ? 1 : placed.count + sticky.count }

        var isComplete: Bool { found == stretch.count }

        var last: RecordPlace { isAnswer ? stretch.from : max(placed.last, sticky.last) }

        /// What it turned out to be.
        var completed: [Stretch] {
            var whole = stretch
            if isAnswer {
                whole.routing = .answer
                whole.through = whole.from
                return [whole]
            }
            var parts: [Stretch] = []
            for (part, routing) in [
                (placed, Stretch.Routing.partitionCount(partitionCount)), (sticky, .sticky),
            ] where part.count > 0 {
                whole.routing = routing
                whole.from = part.first
                whole.through = part.last
                whole.count = part.count
                parts.append(whole)
            }
            return parts
        }

        /// Takes a record, if it is one of this stretch.
        fileprivate mutating func take(
            at place: RecordPlace,
            partition: (Int32) -> Int32?
        ) -> Bool {
            let wanted = partition(partitionCount)
            let isFirst = place == stretch.from
            if wanted == nil {
                // The partitioner may have passed over keys.
                if isFirst, sticky.rest == 0 { swap(&placed.rest, &sticky.rest) }
                guard sticky.rest > 0 else { return reject(isFirst) }
                sticky.take(place)
            } else {
                guard wanted == self.partition else { return reject(isFirst) }
                // Without a key a partition may have been chosen all the same.
                if isFirst, placed.rest == 0 { swap(&placed.rest, &sticky.rest) }
                guard placed.rest > 0 else { return reject(isFirst) }
                placed.take(place)
            }
            return true
        }

        private mutating func reject(_ isFirst: Bool) -> Bool {
            isWrong = isWrong || isFirst
            return false
        }

        /// Everything up to its first place was read.
        fileprivate mutating func passBegin() {
            if found == 0, stretch.count == 1, !isWrong { isAnswer = true }
        }
    }

    /// In the order of their first places, once ``sort()`` was called.
    private(set) var members: [Member] = []
    /// Those before it are complete.
    private var firstOpen = 0
    /// Those before it have begun.
    private var firstAhead = 0

    mutating func add(_ member: Member) { members.append(member) }

    mutating func sort() { members.sort { $0.stretch.from < $1.stretch.from } }

    var isComplete: Bool { firstOpen == members.count }

    /// The batch that has a record; nil if none of these has.
    mutating func batch(
        at place: RecordPlace,
        partition: (Int32) -> Int32?
    ) -> Int? {
        var index = firstOpen
        while index < members.count, members[index].stretch.from <= place {
            if !members[index].isComplete, members[index].take(at: place, partition: partition) {
                let batch = members[index].batch
                skipComplete()
                return batch
            }
            index += 1
        }
        return nil
    }

    /// Tells that all records before `place` were asked for.
    ///
    /// - Returns: those that cannot become complete any more.
    mutating func passed(_ place: RecordPlace) -> [Member] {
        var failed: [Member] = []
        while firstAhead < members.count, members[firstAhead].stretch.from < place {
            members[firstAhead].passBegin()
            if members[firstAhead].found == 0 { failed.append(members[firstAhead]) }
            firstAhead += 1
        }
        skipComplete()
        if place > Stretch.unknownEnd { failed += members.filter { !$0.isComplete } }
        return failed
    }

    private mutating func skipComplete() {
        while firstOpen < members.count, members[firstOpen].isComplete { firstOpen += 1 }
    }
}
