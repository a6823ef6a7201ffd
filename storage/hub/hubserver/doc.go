// Package hubserver is a Hub in one directory: an http.Handler that speaks the
// Hugging Face Hub protocol for model repositories, to package hub and to the
// stock clients alike.
//
// A repository is a bare git repository of real objects; large files are LFS
// pointers in it and stored once, by their SHA-256, beside all
// repositories. References move by replacing one small file, under a lock of
// this process, so a directory belongs to one Server at a time. A killed
// process leaves whole commits only. Reading takes no lock, and what becomes of a
// branch is worked out without one.
//
// Every file is asked for inline ("regular"): clients with Xet installed would
// otherwise insist on a Xet storage. Inline content is decoded as it streams
// in, and the server itself turns what is large, or what .gitattributes names,
// into LFS objects; what .gitattributes does not name is added to it. Clients
// that use LFS regardless, as package hub does, find its basic and multipart
// transfers.
//
// Git itself reads: clone, also shallow, fetch and, with git-lfs, the large
// files. It does not push.
//
// People find pages: the repositories, and of each its card, files, history,
// branches and tags. They need no script.
//
// # Calls
//
// What huggingface_hub 2.4.0 and 0.36.2, hf, @huggingface/hub 2.17.5, git 2.39
// and git-lfs 3.3 find. "Works" means that the client itself was tried, in
// stock_test.go or gitclient_test.go; where a client lacks a call, the others'
// count.
//
//	whoami, whoAmI                                   works; the name is the Hub's user
//	create_repo, delete_repo, move_repo              works for models; other types: BadRequestError with a sentence
//	duplicate_repo                                   works, with history, branches and tags
//	update_repo_settings                             works: visibility; others are ignored
//	repo_exists, repoExists, checkRepoAccess         works
//	model_info, modelInfo, list_models, listModels   works; tags, library and task from the card, in model_info alone
//	dataset_info, space_info and their files         RepositoryNotFoundError
//	list_repo_tree, listFiles, list_repo_files       works, also recursive and expand (last commits; no security scans)
//	get_paths_info, pathsInfo                        works, also expand
//	HfFileSystem: ls, glob, find, walk, isdir, open  works for reading
//	list_repo_commits, listCommits, countCommits     works
//	list_repo_refs                                   works
//	create_branch, createBranch, delete_branch       works, also empty and overwrite
//	create_tag, delete_tag                           works
//	super_squash_history                             works
//	upload_file, upload_folder, uploadFiles          works; the root .gitignore decides
//	upload_large_folder                              works
//	create_commit                                    works: add, delete, copy within a repository
//	create_commit with create_pr                     BadRequestError with a sentence
//	copies of large files between repositories       refused by the client itself: it wants Xet
//	hf_hub_download, snapshot_download, downloadFile works, also resumed, with patterns and concurrently
//	fileExists, downloadFile with raw                works
//	get_safetensors_metadata                         works, over ranges
//	list_lfs_files                                   works
//	permanently_delete_lfs_files                     BadRequestError with a sentence
//	discussions, pull requests, likes, scans,
//	gated access, webhooks                           BadRequestError with a sentence
//	revisions                                        a branch, tag, HEAD, commit, or at least 7 digits of one
//	git clone, fetch, pull; git lfs                  works, over protocol version 0
//	git push                                         refused with a sentence
//	git sparse filters, protocol version 2           absent; git does without
//	Xet                                              absent
//	search by tags, collections, papers, jobs,
//	inference, Spaces                                absent: 404
//
// # Limits
//
// Nothing that a request holds costs more than in proportion to its size. A
// revision has at most 25,000 files and folders, a path at most 32 parts; front
// matter is read up to 64 KB and 32 levels, and aliases are never expanded; a card
// beyond 128 KB, or too intricate, is shown as text. A client that neither sends
// nor reads for a minute is let go, and one token or address has at most 128
// requests at one time: then 429.
//
// # Damage
//
// A reference or settings that cannot be read are left out, named in the log and
// listed by Damaged; everything else is served. Check finds and repairs. While
// something is damaged Collect removes nothing of it.
package hubserver
