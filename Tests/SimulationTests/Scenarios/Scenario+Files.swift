import Glibc

/// What writers, rotators and operators do.
extension Scenario {
    /// Makes a file, or writes one anew in place.
    func write(_ name: String, _ text: String) { folder.put(name, Array(text.utf8), O_TRUNC) }

    func write(_ name: String, bytes: [UInt8]) { folder.put(name, bytes, O_TRUNC) }

    func append(_ name: String, _ text: String) { folder.put(name, Array(text.utf8), O_APPEND) }

    func append(_ name: String, bytes: [UInt8]) { folder.put(name, bytes, O_APPEND) }

    func writer(_ name: String) -> Writer { Writer(folder.file(name)) }

    func rename(_ from: String, _ to: String) {
        check(Glibc.rename(folder.file(from), folder.file(to)), "rename \(from)")
    }

    func copy(_ from: String, _ to: String) { write(to, bytes: folder.bytes(from)) }

    func truncate(_ name: String, to size: Int = 0) {
        check(Glibc.truncate(folder.file(name), size), "truncate \(name)")
    }

    func remove(_ name: String) { check(unlink(folder.file(name)), "delete \(name)") }

    func mkdir(_ name: String) { check(Glibc.mkdir(folder.file(name), 0o755), "make \(name)") }

    func removeDirectory(_ name: String) { Folder.removeTree(folder.file(name)) }

    func hardLink(_ name: String, to target: String) {
        check(Glibc.link(folder.file(target), folder.file(name)), "link \(name)")
    }

    /// A symbolic link takes a name, also one that is in use.
    func link(_ name: String, to target: String) {
        check(symlink(target, folder.file(".link")), "link \(name)")
        rename(".link", name)
    }

    func setMode(_ name: String, _ mode: mode_t) {
        check(chmod(folder.file(name), mode), "change the mode of \(name)")
    }

    /// Sets when a file was last written to, and wakes whoever watches it.
    func touch(_ name: String, ago: Duration) {
        let seconds = time(nil) - Int(ago.components.seconds)
        var times = [timeval(tv_sec: seconds, tv_usec: 0), timeval(tv_sec: seconds, tv_usec: 0)]
        check(utimes(folder.file(name), &times), "touch \(name)")
    }

    func makeFIFO(_ name: String) { check(mkfifo(folder.file(name), 0o644), "make \(name)") }

    /// Files of the folder that this process holds open, also deleted ones.
    var openFiles: [String] {
        (0..<1024).compactMap { descriptor in
            var target = [CChar](repeating: 0, count: 1024)
            let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
            let bytes = target.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
            let text = String(decoding: bytes, as: UTF8.self)
            return text.hasPrefix(folder.path + "/") ? folder.shortened(text) : nil
        }
    }

    private func check(_ result: Int32, _ what: String) {
        precondition(result == 0, "cannot \(what): errno \(errno)")
    }
}

/// Lines of numbers.
func numbered(_ range: Range<Int>) -> String {
    range.map { "\($0)\n" }.joined()
}

func numbers(_ range: Range<Int>) -> [String] {
    range.map { "\($0)" }
}

func systemNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
