/// The text of a time that was read last, and what it said: a log says the same second many times.
struct LastTime {
    private var text: [UInt8] = []
    private var time: Int64 = 0

    /// The time that a text stands for, if it is the last one.
    func time(of text: Text) -> Int64? {
        self.text.withUnsafeBytes { equal($0, text) } ? time : nil
    }

    mutating func remember(_ text: Text, _ time: Int64) {
        self.text.removeAll(keepingCapacity: true)
        self.text.append(contentsOf: text)
        self.time = time
    }
}
