(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with mean squared error: K = 3, N = 7, d = 3.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Mse.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 4; 2; 1].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  onehot_problem 3 sizes lambda_W lambda_H NoBiasN.
Definition the_dual : dual := Dual 0x1000000000000000000 0x28240b780346dc5d63886594af4f0d844d0
 [:: [:: -0xcabddd2ff921eea84; 0x0; 0x0];
  [:: 0x0; -0x11eb851eb851e8c28f; 0x0];
  [:: 0x0; 0x0; -0x1957bba5ff243dd509]]
 [:: [::];
  [::];
  [::]].
Definition the_point : point := Point 3 0x10000000000000
 [:: [:: 0x128ce95df0056f; 0x0; 0x0];
  [:: 0x0; 0xf6e0a12f40433; 0x0];
  [:: 0x0; 0x0; 0xcc5628d6754c8]]
 [:: [:: 0xd1dfcd295dd6c; 0x0; 0x0];
  [:: 0x0; 0xf6e0a12f40433; 0x0];
  [:: 0x0; 0x0; 0x120f9bcaf134fe]]
 [:: 0x0; 0x0; 0x0].
Definition lower : Q := (0x7b8c6944c694763323b91c32259b11da10f # 0x800000000000000000000000000000000000)%binQ.
Definition upper : Q := (0x7b8c6944c694871556c857654c04072d1a82af5 # 0x8000000000000000000000000000000000000000)%binQ.
Definition gap : Q := (0x4388cc3ceccc99a3d54c264b # 0x20000000000000000000000000000000000000)%binQ.

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_mse_lower the_problem the_dual lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_mse_upper the_problem the_point upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@NoBias R) b ->
  qr R lower <= ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R) W H b.
Proof. exact: (mse_lower_claim lower_checked). Qed.

Theorem upper_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := mse_upper_claim upper_checked R h. Qed.

Theorem certified_gap (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@NoBias R) b ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound R h) (lower_bound h W H ok).
Qed.
Print Assumptions certified_gap.
