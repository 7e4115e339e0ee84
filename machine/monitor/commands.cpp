// The table of commands.
#include <fmt/format.h>

#include "machine/monitor/command.h"

namespace reprise::machine::monitor {
namespace {

using Kind = Parameter::Kind;

constexpr Parameter kCpu = {
    "cpu", Kind::Number, false,
    "index of the processor; by default that of command 'cpu', or the one whose turn it is"};
constexpr Parameter kCpuOnly[] = {kCpu};
constexpr Parameter kWalk[] = {{"address", Kind::Address, true, "linear address, or a register's name"},
                               kCpu};
constexpr Parameter kAt = {"at", Kind::Word, false, "a position; where the run stands, by default", "at"};
constexpr Parameter kExplain[] = {
    {"address", Kind::Address, true, "linear address, or a register's name"}, kAt, kCpu};
constexpr Parameter kFrom[] = {{"from", Kind::Address, false, "linear address to begin at"}, kCpu};
constexpr Parameter kMemory[] = {{"address", Kind::Address, true, "linear address, or a register's name"},
                                 {"bytes", Kind::Number, false, "how many, 64 by default, at most 65536"},
                                 {"space", Kind::Word, false, "linear (default) or phys"},
                                 kCpu};
constexpr Parameter kDisassemble[] = {
    {"address", Kind::Address, false, "linear address, rip by default"},
    {"count", Kind::Number, false, "instructions, 10 by default, at most 4096"},
    kCpu};
constexpr Parameter kChoose[] = {
    {"choice", Kind::Word, false, "index of the processor, or any: the one whose turn it is"}};
constexpr Parameter kDrive = {"drive", Kind::Word, true, "a CD-ROM or floppy drive: cdrom0, floppy0, ..."};
constexpr Parameter kEject[] = {
    kDrive, {"options", Kind::Word, false, "force: although the guest has locked the tray"}};
constexpr Parameter kPlug[] = {
    {"device", Kind::Word, true, "DRIVER,id=ID,... as --device has it, or -device of QEMU's command line"}};
constexpr Parameter kUnplug[] = {{"id", Kind::Word, true, "id of the device"}};
constexpr Parameter kBalloon[] = {{"mib", Kind::Number, true, "MiB that it is to have"}};
constexpr Parameter kAddDrive[] = {
    {"address", Kind::Word, true, "0"},
    {"drive", Kind::Word, true, "if=none,id=ID,file=FILE,... as -drive has it"}};
constexpr Parameter kAddNetwork[] = {{"network", Kind::Word, true, "user,id=ID,... as -netdev has it"}};
constexpr Parameter kAddNode[] = {
    {"node", Kind::Word, true, "driver=raw,node-name=ID,... as -blockdev has it"}};
constexpr Parameter kPart[] = {{"id", Kind::Word, true, "its id"}};
constexpr Parameter kChange[] = {
    kDrive,
    {"file", Kind::Word, true, "the image; with blanks in its name in \"quotes\""},
    {"options", Kind::Word, false,
     "force: although the guest has locked the tray; write: the guest's writes to a floppy go to the image; "
     "force,write: both"}};
constexpr Parameter kDevice[] = {{"name", Kind::Word, false, "only this device"}};
constexpr Parameter kStep[] = {{"count", Kind::Number, false, "how many, 1 by default"}};
constexpr Parameter kGdbserver[] = {
    {"address", Kind::Word, true, "tcp:PORT, with 0 for a free one, or unix:PATH"}};
constexpr Parameter kBreak[] = {{"port", Kind::Word, false, "com1 (default) or com2"}};
constexpr Parameter kSendkey[] = {
    {"keys", Kind::Word, true, "as QEMU names them, with - between keys held together: ctrl-alt-f1, ret"}};
constexpr Parameter kType[] = {
    {"text", Kind::Word, true,
     "what is typed, on the US layout; \\n Enter, \\t Tab, \\e Escape, \\b Backspace, "
     "\\xHH any character"}};
constexpr Parameter kMouseMove[] = {{"dx", Kind::Integer, true, "counts to the right"},
                                    {"dy", Kind::Integer, true, "counts down"},
                                    {"wheel", Kind::Integer, false, "notches up"}};
constexpr Parameter kMouseTo[] = {{"x", Kind::Number, true, "0 (left) to 32767"},
                                  {"y", Kind::Number, true, "0 (top) to 32767"}};
constexpr Parameter kMouseButtons[] = {
    {"mask", Kind::Number, true,
     "all that are held from now on: 1 left, 2 middle, 4 right, 8 side, 16 extra"}};
constexpr Parameter kClick[] = {{"button", Kind::Word, true, "left, middle, right, side or extra"},
                                {"x", Kind::Number, false, "go there first: 0 (left) to 32767"},
                                {"y", Kind::Number, false, "0 (top) to 32767"}};
constexpr Parameter kSetLink[] = {
    {"card", Kind::Word, true, "net0 for the first, its address, or the id= that it was given"},
    {"state", Kind::Word, true, "on or off"}};
constexpr Parameter kForward[] = {
    {"forward", Kind::Word, true, "tcp:[ADDR]:PORT-[ADDR]:PORT or udp:..., as --net user,hostfwd= takes it"}};
constexpr Parameter kForwarded[] = {
    {"forward", Kind::Word, true, "where it comes from: tcp:[ADDR]:PORT or udp:..."}};
constexpr Parameter kScreenshot[] = {
    {"file", Kind::Word, true,
     "what is written: NAME.png and NAME.ppm are pictures, others text; with blanks in \"quotes\""}};
constexpr Parameter kDumpMemory[] = {
    {"file", Kind::Word, true, "what is written; with blanks in \"quotes\""}};
constexpr Parameter kSnapshotOfName[] = {{"name", Kind::Word, true, "letters, digits, '-', '.' and '_'"}};
constexpr Parameter kSnapshot[] = {
    {"name", Kind::Word, false, "letters, digits, '-', '.' and '_'; by default vm- and the instruction"}};
constexpr Parameter kPrint[] = {
    {"expression", Kind::Word, true,
     "numbers, registers and names of --symbols with + - * / % & | ^ ~ and parentheses"},
    {"format", Kind::Word, false, "x (default), d, u, o or c"},
    kCpu};
constexpr Parameter kSave[] = {
    {"file", Kind::Word, true,
     "its name; with ,compress=zstd behind it the file is small, and slower to load"}};
constexpr Parameter kRecord[] = {{"file", Kind::Word, true, "its name"}};
constexpr Parameter kRestart[] = {{"number", Kind::Number, true, "that 'checkpoint' gave"}};
constexpr Parameter kRunTo[] = {{"position", Kind::Word, true, "@41203118554, or @41203118554.3"}};
constexpr Parameter kBytes = {"bytes", Kind::Number, false, "how many, 8 by default, at most 65536", ","};
constexpr Parameter kSpace = {
    "space", Kind::Word, false, "phys: the address is a physical one; linear is the default", "phys", true};
constexpr Parameter kWritten = {"address", Kind::Address, true,
                                "linear, as it is mapped now, or a register's name"};
constexpr Parameter kBefore = {"before", Kind::Word, false, "a position; where the run stands, by default",
                               "before"};
constexpr Parameter kAfter = {"after", Kind::Word, false, "a position; where the history begins, by default",
                              "after"};
constexpr Parameter kLastWrite[] = {kWritten, kBytes, kSpace, kBefore, kCpu};
constexpr Parameter kFirstWrite[] = {kWritten, kBytes, kSpace, kAfter, kCpu};
constexpr Parameter kExecuted = {"address", Kind::Address, true,
                                 "linear, in whatever address space, or a register's name"};
constexpr Parameter kLastExec[] = {kExecuted, kBefore, kCpu};
constexpr Parameter kNextExec[] = {kExecuted, kCpu};
constexpr Parameter kWhen[] = {
    {"condition", Kind::Word, false, "rax==5, u32[0x200000]>=5: since when that holds"}, kCpu};
constexpr Parameter kBisect[] = {
    {"condition", Kind::Word, true, "u32[0x200000]==5, rax==4 && p8[0x1000]!=0: with blanks in \"quotes\""},
    {"from", Kind::Word, false, "a position; where the history begins, by default", "from"},
    {"to", Kind::Word, false, "a position; where the run stands, by default", "to"},
    kCpu};
constexpr Parameter kHelp[] = {{"command", Kind::Word, false, "only commands that begin so"}};

constexpr Command kCommands[] = {
    {"help", kHelp, "lists the commands", nullptr},
    {"version", {}, "the emulator's version", nullptr},
    {"status", {}, "whether the guest runs, and how far it is", status},
    {"stop", {}, "the guest stands still, without knowing it", stop},
    {"cont", {}, "the guest goes on", cont},
    {"step", kStep, "the guest goes on for some instructions, then stops", step},
    {"reset", {}, "presses the reset button", reset},
    {"powerdown", {}, "presses the power button: the guest decides what happens", powerdown},
    {"nmi", {}, "an NMI to all processors", nmi},
    {"break", kBreak, "a break condition on a serial line: SysRq of a Linux console", send_break},
    {"quit", {}, "ends the run", quit},
    {"gdbserver", kGdbserver, "lets gdb connect", gdbserver},
    {"eject", kEject, "takes the medium out of a drive", eject},
    {"change", kChange, "puts another medium into a drive", change},
    {"device_add", kPlug, "plugs in, with --hotplug: virtio-blk, virtio-net, e1000, scsi-hd or scsi-cd",
     nullptr},
    {"device_del", kUnplug, "asks the guest to let go of a card", device_del},
    {"balloon", kBalloon, "asks the guest to make do with so much memory, with a virtio-balloon", balloon},
    {"drive_add", kAddDrive, "a drive for device_add, in a run by QEMU's command line", nullptr},
    {"drive_del", kPart, "takes it back", nullptr},
    {"netdev_add", kAddNetwork, "a network for device_add, the same", nullptr},
    {"netdev_del", kPart, "takes it back", nullptr},
    {"blockdev-add", kAddNode, "a node of -blockdev for device_add, the same", nullptr},
    {"blockdev-del", kPart, "takes it back", nullptr},
    {"sendkey", kSendkey, "presses keys of the keyboard, and lets them go", sendkey},
    {"type", kType, "types a text, as fast as the guest takes it", type_text},
    {"mouse move", kMouseMove, "moves the mouse, and turns its wheel", mouse_move},
    {"mouse to", kMouseTo, "moves the pointer to a place on the screen", mouse_to},
    {"mouse buttons", kMouseButtons, "presses buttons of the mouse, and lets the others go", mouse_buttons},
    {"click", kClick, "presses a button of the mouse, and lets it go", click},
    {"set_link", kSetLink, "plugs a network card in, or pulls its plug", set_link},
    {"hostfwd_add", kForward, "forwards a port of the host to the guest", hostfwd_add},
    {"hostfwd_remove", kForwarded, "forwards it no longer; connections stay", hostfwd_remove},
    {"screen", {}, "the text on the screen", screen},
    {"screenshot", kScreenshot, "writes the screen to a file: a picture, or text", screenshot},
    {"screendump", kScreenshot, "the same, as QEMU calls it", screenshot},
    {"dump-guest-memory", kDumpMemory,
     "writes the guest's memory to a new file, an ELF core for crash and drgn", dump_guest_memory},
    {"savevm", kSnapshot, "saves the whole state under a name, beside the first image that the run writes",
     savevm},
    {"delvm", kSnapshotOfName, "removes such a state", delvm},
    {"save", kSave, "writes the whole state to a file, from which reprise run --load goes on", save},
    {"record", kRecord, "writes to a file what repeats the run, from its beginning on: for reprise replay",
     record},
    {"when", kWhen, "the position of the run, or since when something holds", when},
    {"run", kRunTo, "goes to a position, back or forward, and stops there", run_to},
    {"reverse-step", kCpuOnly, "goes back to before the last instruction of a processor", reverse_step},
    {"reverse-continue", {}, "goes back to the last breakpoint or watchpoint that was hit", reverse_continue},
    {"checkpoint", {}, "keeps a checkpoint of now, and gives it a number", checkpoint},
    {"restart", kRestart, "goes to a checkpoint", restart},
    {"branch", {}, "lets the run live on from here, in its past, and forgets what came behind", branch},
    {"kaslr", {}, "where the kernel of --symbols runs, and how gdb learns it", kaslr},
    {"last-write", kLastWrite, "who wrote some bytes last, and what", last_write},
    {"first-write", kFirstWrite, "who wrote them first", first_write},
    {"last-exec", kLastExec, "when an instruction was last executed", last_exec},
    {"next-exec", kNextExec, "when it is executed next", next_exec},
    {"bisect", kBisect, "the first instant at which something holds", bisect},
    {"cpu", kChoose, "which processor commands are about that name none", nullptr},
    {"info cpus", {}, "what each processor does", info_cpus},
    {"info checkpoints", {}, "checkpoints that were kept, and the memory that all take", info_checkpoints},
    {"info registers", kCpuOnly, "registers of a processor", info_registers},
    {"info pagewalk", kWalk, "each level of a translation, and what an access would meet", info_pagewalk},
    {"explain", kExplain, "what the MMU does for an address: walk, TLB, what an access would meet, and why",
     explain},
    {"info memory-map", kFrom, "what the current address space holds", info_memory_map},
    {"info tlb", kCpuOnly, "translations that a processor has at hand", info_tlb},
    {"info phys-map", {}, "what answers at which physical address", info_phys_map},
    {"info irq", {}, "interrupt lines and controllers", info_irq},
    {"info pci", {}, "PCI functions and where their registers are", info_pci},
    {"info devices", kDevice, "registers of devices", info_devices},
    {"info disks", {}, "disks, what they are and where they are plugged in", info_disks},
    {"info balloon", {}, "how much memory the guest has, with a virtio-balloon", info_balloon},
    {"info network",
     {},
     "what network cards are connected with, ports that are forwarded, traffic",
     info_network},
    {"info usernet", {}, "open connections of the user network, as libslirp lists them", info_usernet},
    {"info snapshots", {}, "states that savevm has saved", info_snapshots},
    {"info stats", {}, "counters", info_stats},
    {"info hash", {}, "digest of the whole state, as --hash-every prints it", info_hash},
    {"memory", kMemory, "content of memory", memory},
    {"print", kPrint, "the value of an expression", print},
    {"disassemble", kDisassemble, "instructions in memory", disassemble},
};

}  // namespace

Processor& processor_of(Machine& machine, const Arguments& arguments) {
  Processors& processors = machine.pc().processors();
  return processors.at(static_cast<unsigned>(arguments.number("cpu", processors.running_index())));
}

std::span<const Command> commands() { return kCommands; }

std::string hex(u64 value) { return fmt::format("{:#x}", value); }

std::string size_text(u64 bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  unsigned unit = 0;
  while (unit + 1 < std::size(kUnits) && bytes >> 10 * (unit + 1) != 0) ++unit;
  const u64 whole = bytes >> 10 * unit;
  if (whole << 10 * unit == bytes) return fmt::format("{} {}", whole, kUnits[unit]);
  return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(u64{1} << 10 * unit),
                     kUnits[unit]);
}

}  // namespace reprise::machine::monitor
