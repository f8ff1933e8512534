#include "tests/emulator/fiber.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulator
{
/* As much local memory as a thread of a device may have; pages that nobody touches cost nothing. */
static const size_t STACK = (size_t)512 << 10, GUARD = (size_t)64 << 10;

struct fiber {
    void (*entry)();
#if defined(__x86_64__)
    void *sp;
#else
    ucontext_t context;
#endif
    const void *bottom; /* of the stack */
    size_t bytes;
    void *fake_stack;
};

static struct fiber own, *self = &own, *before;

/* swapcontext() would ask the kernel for the signal mask each time. */
#if defined(__x86_64__)
extern "C" void wf_emulator_switch(void **save, void *sp);
asm(".text\n"
    ".type wf_emulator_switch, @function\n"
    "wf_emulator_switch:\n"
    "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
    "movq %rsp, (%rdi)\n"
    "movq %rsi, %rsp\n"
    "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
    "ret\n"
    ".size wf_emulator_switch, . - wf_emulator_switch\n");
#endif

/* First thing on the new stack. */
static void arrived()
{
#if defined(__SANITIZE_ADDRESS__)
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &bytes);
    before->bottom = bottom;
    before->bytes = bytes;
#endif
}

static void start()
{
    arrived();
    self->entry();
    abort();
}

struct fiber *fiber_new(void (*entry)())
{
    struct fiber *f = new fiber();
    char *stack = (char *)mmap(NULL, GUARD + STACK, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, GUARD, PROT_NONE) != 0) {
        fprintf(stderr, "emulator: no memory for the stack of a thread\n");
        abort();
    }
    f->entry = entry;
    f->bottom = stack + GUARD;
    f->bytes = STACK;
#if defined(__x86_64__)
    /* Six registers, the address that `ret` takes, and the stack as if start() had been called. */
    void **top = (void **)(stack + GUARD + STACK) - 8;
    top[6] = (void *)start;
    f->sp = top;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack + GUARD;
    f->context.uc_stack.ss_size = STACK;
    makecontext(&f->context, start, 0);
#endif
    return f;
}

range fiber_stack(const struct fiber *f)
{
    return { (char *)f->bottom, f->bytes };
}

struct fiber *fiber_self()
{
    return self;
}

void fiber_switch(struct fiber *to)
{
    struct fiber *from = self;
    before = from;
    self = to;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->bytes);
#endif
#if defined(__x86_64__)
    wf_emulator_switch(&from->sp, to->sp);
#else
    swapcontext(&from->context, &to->context);
#endif
    arrived();
}
} // namespace emulator
