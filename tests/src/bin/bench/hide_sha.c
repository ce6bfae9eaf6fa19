/* Hides the SHA instructions of an x86-64 processor from a program on Linux: LD_PRELOAD this as a library.
 *
 * The kernel can let CPUID fault, where the processor or the hypervisor supports that. The handler below answers it without bit 29
 * of leaf 7's EBX. A library that asks before this one is initialised, as libcrypto does, still learns the truth. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define SHA (1u << 29)

static void answer(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number;
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *instruction = (const uint8_t *)registers[REG_RIP];
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) {
        /* Not CPUID: the program's own fault, which happens again and ends it. */
        signal(SIGSEGV, SIG_DFL);
        return;
    }
    uint32_t eax, ebx, ecx, edx;
    uint32_t leaf = (uint32_t)registers[REG_RAX];
    uint32_t subleaf = (uint32_t)registers[REG_RCX];
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && subleaf == 0) ebx &= ~SHA;
    registers[REG_RAX] = eax;
    registers[REG_RBX] = ebx;
    registers[REG_RCX] = ecx;
    registers[REG_RDX] = edx;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void hide(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSEGV, &action, 0) != 0 || syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) {
        static const char message[] = "hide_sha: CPUID does not fault here\n";
        if (write(2, message, sizeof message - 1) < 0) _exit(98);
        _exit(99);
    }
}
