// Writes its second argument into the file that its first names, with no C library.
static long call(long n, long a, long b, long c) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory"); return r; }
__attribute__((used)) void run(long *stack) {
    char **argv = (char **)(stack + 1);
    long n = 0; while (argv[2][n]) n++;
    long fd = call(2, (long)argv[1], 0101, 0644);
    call(60, fd < 0 || call(1, fd, (long)argv[2], n) != n, 0, 0);
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
