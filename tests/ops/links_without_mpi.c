/* Operations, parameters and the policy must link into programs that have no MPI: this one holds
 * all of their objects, and the build fails where one of them needs a symbol of comm or of MPI. */
int main(void)
{
    return 0;
}
