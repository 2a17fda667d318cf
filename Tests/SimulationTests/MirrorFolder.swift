import Glibc

@testable import FileTailing

/// Does on the machine's own disk what is done on a simulated one.
///
/// A writer keeps its file open, so an inode that has no name is free only when it is closed here
/// and where it is read.
final class MirrorFolder {
    let disk = LinuxDisk()
    private let folder = Folder()
    private var descriptors: [ObjectIdentifier: (descriptor: Int32, inode: SimulatedDisk.Inode)] =
        [:]

    deinit {
        for open in descriptors.values { close(open.descriptor) }
    }

    var root: String { folder.path }

    func makeDirectory(_ path: String) { check(mkdir(path, 0o755), "make \(path)") }

    func create(_ path: String) -> SimulatedDisk.Inode {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        check(descriptor, "create \(path)")
        guard let file = try? disk.open(path), let status = try? file.status(),
            let birth = file.birthTime
        else { preconditionFailure("this file system does not tell when a file was born") }
        let inode = SimulatedDisk.Inode(key: status.key, birth: birth)
        descriptors[ObjectIdentifier(inode)] = (descriptor, inode)
        return inode
    }

    func append(_ bytes: [UInt8], to inode: SimulatedDisk.Inode) {
        let descriptor = descriptor(of: inode)
        check(Int32(lseek(descriptor, 0, SEEK_END)), "seek in inode \(inode.number)")
        let count = write(descriptor, bytes, bytes.count)
        precondition(count == bytes.count, "cannot write inode \(inode.number): errno \(errno)")
    }

    func truncate(_ inode: SimulatedDisk.Inode, to size: Int) {
        check(ftruncate(descriptor(of: inode), off_t(size)), "truncate inode \(inode.number)")
    }

    func rename(_ from: String, to path: String) {
        check(Glibc.rename(from, path), "rename \(from)")
    }

    func link(_ path: String, to inode: SimulatedDisk.Inode, _ name: String?) {
        guard let name else { preconditionFailure("inode \(inode.number) has no name") }
        check(Glibc.link(name, path), "link \(path)")
    }

    func unlink(_ path: String) { check(Glibc.unlink(path), "unlink \(path)") }

    /// Sets when the file was modified; simulated time is not the clock's.
    func stamp(_ inode: SimulatedDisk.Inode, _ time: Int64) {
        let second: Int64 = 1_000_000_000
        let stamp = timespec(tv_sec: Int(time / second), tv_nsec: Int(time % second))
        check(futimens(descriptor(of: inode), [stamp, stamp]), "stamp inode \(inode.number)")
    }

    func closeUnlinked(besides written: [SimulatedDisk.Inode?]) {
        for (id, open) in descriptors where open.inode.links == 0 {
            if written.contains(where: { $0 === open.inode }) { continue }
            close(open.descriptor)
            descriptors[id] = nil
        }
    }

    private func descriptor(of inode: SimulatedDisk.Inode) -> Int32 {
        guard let open = descriptors[ObjectIdentifier(inode)] else {
            preconditionFailure("inode \(inode.number) was closed by its writer")
        }
        return open.descriptor
    }

    private func check(_ result: Int32, _ what: String) {
        precondition(result >= 0, "cannot \(what): errno \(errno)")
    }
}
