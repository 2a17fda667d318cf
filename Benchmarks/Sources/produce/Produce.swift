import Glibc
import Kafka
import Logging

/// Sends records as a Swift service would, and ends when all are acknowledged.
///
///     produce enqueue|enqueue-lots|send|send-lots BOOTSTRAP TOPIC COUNT FILE SIZE [PROPERTY=VALUE …]
///
/// The records are the pieces of SIZE bytes that FILE is cut into, over and over. `enqueue` counts
/// acknowledgements in a completion, with at most `buffer.memory` on its way; `send` awaits each
/// record, in as many tasks at a time as fit there, up to 1,000. With `-lots` the records are made
/// and handed over 100 at a time; ten tasks await such lots.
@main
struct Produce {
    private static let senderLimit = 1000
    private static let lotSize = 100
    private static let lotSenders = 10

    let producer: KafkaProducer
    let topic: String
    let count: Int
    let values: [[UInt8]]
    let window: Window

    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count >= 6, let command = Self(Array(arguments)) else {
            fail("usage: produce WAY BOOTSTRAP TOPIC COUNT FILE SIZE [PROPERTY=VALUE …]")
        }
        let running = Task { try await command.producer.run() }
        switch arguments.first {
        case "enqueue": await command.enqueueAll()
        case "enqueue-lots": await command.enqueueLots()
        case "send": await command.sendAll()
        case "send-lots": await command.sendLots()
        default: fail("produce: \"enqueue\", \"send\", or one of them with \"-lots\"")
        }
        running.cancel()
        _ = await running.result
    }

    private init?(_ arguments: [String]) {
        guard let count = Int(arguments[3]), let size = Int(arguments[5]), size > 0 else {
            return nil
        }
        var configuration = KafkaProducerConfiguration(bootstrapServers: [arguments[1]])
        for argument in arguments[6...] {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            do {
                try configuration.set(parts[0], to: parts[1])
            } catch {
                fail("produce: \(error)")
            }
        }
        var logger = Logger(label: "produce")
        logger.logLevel = .warning
        self.topic = arguments[2]
        self.count = count
        self.values = pieces(of: arguments[4], size: size)
        self.window = Window(limit: configuration.bufferMemory / size)
        self.producer = KafkaProducer(configuration: configuration, logger: logger)
    }

    private func record(_ number: Int) -> KafkaProducerRecord {
        KafkaProducerRecord(topic: self.topic, value: self.values[number % self.values.count])
    }

    private func lot(from start: Int) -> [KafkaProducerRecord] {
        (start..<min(self.count, start + Self.lotSize)).map { self.record($0) }
    }

    private func enqueueAll() async {
        let window = self.window
        let completion: KafkaProducer.Completion = { result in
            if case .failure(let error) = result { fail("produce: \(error)") }
            window.settled()
        }
        for number in 0..<self.count {
            if window.isFull(after: number) { await window.makeRoom(after: number) }
            self.enqueue(number, completion)
        }
        await self.flush()
    }

    // Not in the asynchronous function, where the record is copied once more.
    @inline(never)
    private func enqueue(_ number: Int, _ completion: @escaping KafkaProducer.Completion) {
        self.producer.enqueue(self.record(number), onCompletion: completion)
    }

    private func enqueueLots() async {
        let window = self.window
        let completion: KafkaProducer.NumberedCompletion = { _, result in
            if case .failure(let error) = result { fail("produce: \(error)") }
            window.settled()
        }
        for start in stride(from: 0, to: self.count, by: Self.lotSize) {
            let lot = self.lot(from: start)
            if window.isFull(after: start + lot.count) {
                await window.makeRoom(after: start + lot.count)
            }
            self.producer.enqueue(contentsOf: lot, onCompletion: completion)
        }
        await self.flush()
    }

    private func flush() async {
        await self.producer.flush()
        guard self.window.settledCount == self.count else {
            fail("produce: \(self.window.settledCount) of \(self.count) records were settled")
        }
    }

    private func sendLots() async {
        let turn = Self.lotSenders * Self.lotSize
        await withTaskGroup { group in
            for sender in 0..<Self.lotSenders {
                group.addTask {
                    let first = sender * Self.lotSize
                    for start in stride(from: first, to: self.count, by: turn) {
                        await self.sendLot(from: start)
                    }
                }
            }
        }
    }

    private func sendLot(from start: Int) async {
        do {
            for answer in try await self.producer.send(contentsOf: self.lot(from: start)) {
                _ = try answer.get()
            }
        } catch {
            fail("produce: \(error)")
        }
    }

    private func sendAll() async {
        let senders = min(Self.senderLimit, self.window.limit)
        await withTaskGroup { group in
            for sender in 0..<senders {
                group.addTask {
                    for number in stride(from: sender, to: self.count, by: senders) {
                        do {
                            _ = try await self.producer.send(self.record(number))
                        } catch {
                            fail("produce: \(error)")
                        }
                    }
                }
            }
        }
    }
}

/// The pieces of `size` bytes of a file; what is left at its end is not used.
private func pieces(of path: String, size: Int) -> [[UInt8]] {
    guard let file = fopen(path, "r") else { fail("produce: cannot open \(path)") }
    defer { fclose(file) }
    var pieces: [[UInt8]] = []
    while true {
        let piece = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = fread(buffer.baseAddress, 1, size, file)
        }
        guard piece.count == size else { break }
        pieces.append(piece)
    }
    guard !pieces.isEmpty else { fail("produce: \(path) is shorter than \(size) bytes") }
    return pieces
}

func fail(_ message: String) -> Never {
    let line = "\(message)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    exit(1)
}
