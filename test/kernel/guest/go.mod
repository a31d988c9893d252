module dodeka/test/kernel/guest

go 1.27
