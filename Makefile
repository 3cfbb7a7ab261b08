# Every target calls ./dev, which explains itself: run it without an argument.

.DEFAULT_GOAL := help
.PHONY: help up test story lint bench faults mutants doctor reset

help: ## list the targets
	@./dev

up test story lint bench faults mutants doctor reset: ## the commands of ./dev
	@./dev $@
