/// Where rows of the journal end in one file, for those that its checkpoint has not passed.
struct FileEnds: Sendable {
    struct Place: Comparable, Sendable {
        let generation: Int64
        let offset: Int64

        init(_ generation: Int64, _ offset: Int64) {
            self.generation = generation
            self.offset = offset
        }

        static func < (a: Place, b: Place) -> Bool {
            (a.generation, a.offset) < (b.generation, b.offset)
        }
    }

    private struct End: Sendable {
        let place: Place
        let row: Int64
    }

    private var reached: Place
    /// By their places; those before `head` are passed.
    private var ends: [End] = []
    private var head = 0

    init(reached: Place = Place(0, 0)) {
        self.reached = reached
    }

    var rows: [Int64] { ends[head...].map(\.row) }

    /// Adds a row whose last record is of the line at `place`.
    ///
    /// - Returns: false if the checkpoint has passed it already.
    mutating func add(_ place: Place, row: Int64) -> Bool {
        if place < reached { return false }
        ends.insert(End(place: place, row: row), at: firstIndex(notBefore: place))
        return true
    }

    /// Takes a row out that is not passed.
    mutating func remove(row: Int64) {
        let rest = ends[head...].filter { $0.row != row }
        ends = Array(rest)
        head = 0
    }

    /// Moves the checkpoint.
    ///
    /// - Returns: the rows that it passes now.
    mutating func reach(_ place: Place) -> [Int64] {
        reached = max(reached, place)
        let next = firstIndex(notBefore: reached)
        let passed = ends[head..<next].map(\.row)
        head = next
        if head > 32, head * 2 > ends.count {
            ends.removeFirst(head)
            head = 0
        }
        return passed
    }

    private func firstIndex(notBefore place: Place) -> Int {
        var low = head
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
