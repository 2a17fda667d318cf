/// What is to happen, the earliest first; of two at the same time, the one that was planned first.
struct Schedule<Event> {
    private struct Entry {
        let time: ContinuousClock.Instant
        let number: Int
        let event: Event

        func isBefore(_ other: Entry) -> Bool {
            self.time == other.time ? self.number < other.number : self.time < other.time
        }
    }

    /// A binary heap: each entry is before the two at twice its place and one or two more.
    private var heap: [Entry] = []
    private var lastNumber = 0

    mutating func add(_ event: Event, at time: ContinuousClock.Instant) {
        self.lastNumber += 1
        self.heap.append(Entry(time: time, number: self.lastNumber, event: event))
        var place = self.heap.count - 1
        while place > 0, self.heap[place].isBefore(self.heap[(place - 1) / 2]) {
            self.heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    var nextTime: ContinuousClock.Instant? { self.heap.first?.time }

    mutating func popFirst() -> (time: ContinuousClock.Instant, event: Event)? {
        guard let first = self.heap.first else { return nil }
        let last = self.heap.removeLast()
        if !self.heap.isEmpty {
            self.heap[0] = last
            self.sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var place = 0
        while true {
            let left = 2 * place + 1
            guard left < self.heap.count else { return }
            let right = left + 1
            let isRight = right < self.heap.count && self.heap[right].isBefore(self.heap[left])
            let child = isRight ? right : left
            guard self.heap[child].isBefore(self.heap[place]) else { return }
            self.heap.swapAt(place, child)
            place = child
        }
    }
}
