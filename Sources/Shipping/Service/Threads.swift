import Glibc

/// Starts a thread of its own for work that blocks.
///
/// - Throws: `ServiceError` when the process may have no more threads.
package func startThread(name: String, _ body: @escaping @Sendable () -> Void) throws {
    let box = Unmanaged.passRetained(ThreadBody(name: name, body))
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, runThread, box.toOpaque())
    guard code == 0 else {
        box.release()
        throw ServiceError.system("pthread_create", code)
    }
    pthread_detach(thread)
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, _ run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    // Safe: the pointer was retained for this thread alone.
    let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
    body.run()
    return nil
}

/// How many processors this process may use.
func processorCount() -> Int {
    max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Lets the process open as many files as its hard limit allows.
func raiseOpenFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// How many of its descriptors the process may use for tailed files.
func openFileLimit() -> Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    // The rest is for connections, directories, the database and files on their way to a lane.
    return max(16, min(Int(clamping: limit.rlim_cur), 16_384) - 256)
}
